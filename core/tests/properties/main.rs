//! What holds for every input: one module per subject.

mod manifest;
