//! Golden cases of the real Kubernetes against ours.
