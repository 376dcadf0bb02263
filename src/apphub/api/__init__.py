"""The door for programs: the JupyterHub REST contract (docs: "JupyterHub REST API"), nothing else."""
