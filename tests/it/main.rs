//! The one integration test binary. Each module is one boundary of the product.
mod scheduler_conformance;
