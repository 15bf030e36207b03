//! YAML text → objects and where each field stood.
