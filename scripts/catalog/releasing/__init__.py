"""From the tree to what other teams install, reference and mirror. Rooms:

objects      Tasks and Pipelines as they are released, with their versions
rendering    the same with images and references by digest
bundles      Tekton bundles, written and read
gzip_format  gzip whose bytes no compressor decides
places       where releases lie: registries, folders of OCI layouts
images       which image each program's reference stands for, and where it comes from
foreign      git-clone's bundle and its images, which our Pipeline uses
planning     everything that a release consists of, with digests, before anything is written
record       release.json, and the artifact that makes a release self-describing
publishing   staged by digest, checked, then tagged; undone where that fails
verifying    everything read back as clients do
hub_tree     what tkn and the hub resolver ask a hub for, as files
hub_client   what tkn and the hub resolver do
site         pages for people
contract     catalog.yaml and resources.tar.gz
dist         the folder with all that is not in a registry, replaced at once
mirroring    a release from one place to another
progress     what is seen meanwhile

Contracts: tektoncd/pipeline docs/tekton-bundle-contracts.md (0.1) and docs/hub-resolver.md, Artifact Hub's HTTP API for
packages, openshift-pipelines/catalog-cd docs/catalog.md.
"""
