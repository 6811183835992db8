"""What runs on the compute node: starts fast, standard library plus h5py where a session is used."""
