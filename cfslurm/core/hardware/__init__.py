"""What the cluster is made of: GPUs, nodes, classes of equal nodes, switches."""
