#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keiin_tests::decoders::run("clients_csv", bytes));
