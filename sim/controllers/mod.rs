//! One file per controller of kube-controller-manager.
