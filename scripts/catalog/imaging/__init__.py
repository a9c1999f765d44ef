"""Images of the programs. Rooms:

dockerfiles  which images there are, and what each is made of
builders     what builds images here, installed where it is missing
engines      docker, podman, buildah: a Dockerfile becomes an OCI layout
base_root    a Python base image for machines that can't pull one
pip_secrets  the host's package index and certificates, for the build and not for the image
finishing    labels that say what is in an image, read from the image itself
"""
