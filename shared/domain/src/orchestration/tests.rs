//! Tests of orchestration.
