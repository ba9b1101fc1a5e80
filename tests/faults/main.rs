//! The faults that Keiin is built for, one module a row of the table in `docs/RELIABILITY.md`. Each ends at the same
//! oracle ([`keiin_tests::oracle`]), which is itself put to the test in [`oracle`].
//!
//! Short forms by default, long ones with `KEIIN_TEST_LONG=1` (`tests/run --long`); `KEIIN_TEST_SEED` repeats a run.

mod damage;
mod decoders;
mod f01_kill;
mod f02_power_loss;
mod f04_disk_full;
mod f05_failed_sync;
mod f06_interrupted_calls;
mod f07_bit_rot;
mod f08_torn_blocks;
mod f09_sql_edits;
mod f10_rollback;
mod f11_clock;
mod f17_poison;
mod f18_one_key;
mod f19_lost_answers;
mod f20_two_processes;
mod f21_killed_rebuild;
mod f25_killed_rotation;
mod f27_memory;
mod f29_network;
mod oracle;
mod paused;
mod proxy;
