//! What holds for every input: one module per subject.

mod certificate;
mod manifest;
