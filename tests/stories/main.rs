//! One test binary, a module per story.
