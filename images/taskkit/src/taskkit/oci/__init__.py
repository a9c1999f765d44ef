"""OCI images without a daemon: references, documents, layouts, registries. Rooms:

references    names of images: ``registry/repository:tag@digest`` and ``oci-layout:path:tag``
documents     descriptors, manifests, indexes and image configs as they travel
content       blobs that are streamed, never held
tar_layers    layers whose bytes depend on their content alone
images        an image as a tree of documents and blobs; layers put on top of a base
layout        OCI image layouts, read and written
registry      a repository in a registry: blobs, manifests, tags
uploads       bringing one blob into a repository: mounted, in one piece, or in chunks
publishing    a whole image into a repository or a layout
transport     HTTP with retries, redirects, TLS, proxies
authorization docker config files, challenges, tokens
unpack        an image's file system in a directory, every digest checked

Sources: OCI image-spec 1.1, OCI distribution-spec 1.1, https://distribution.github.io/distribution/spec/auth/token/
"""
