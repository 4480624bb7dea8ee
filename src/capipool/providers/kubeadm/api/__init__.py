"""The kinds of bootstrap.cluster.x-k8s.io that kubeadm machines boot from."""
