"""apphub: a multi-user application hub that speaks the JupyterHub REST API."""

__version__ = "0.1.0"

#: What `/hub/api/` and `X-JupyterHub-Version` say: the JupyterHub release whose contract is spoken.
#: Its tools parse it as a PEP 440 version and compare it.
JUPYTERHUB_VERSION = "6.1.1"
