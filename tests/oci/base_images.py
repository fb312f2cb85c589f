"""Base images that tests push themselves, through the API only."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import httpx

_DOCKER = "application/vnd.docker."


def push_base(host, name, tag, platforms, *, layers=(), auth=None):
    """Push an image in Docker's format; `platforms` maps architectures to configs."""
    url = f"http://{host}/v2/{name}/"
    with httpx.Client(base_url=url, auth=auth, trust_env=False) as client:
        layers = layers or (make_layer({"etc/base": b"of the base\n"}),)
        children = []
        for architecture, config in platforms.items():
            digest, size = _push_manifest(client, architecture, config, layers)
            children.append(
                {
                    "mediaType": f"{_DOCKER}distribution.manifest.v2+json",
                    "digest": digest,
                    "size": size,
                    "platform": {"architecture": architecture, "os": "linux"},
                }
            )
        media_type = f"{_DOCKER}distribution.manifest.list.v2+json"
        _put_manifest(
            client,
            tag,
            {"schemaVersion": 2, "mediaType": media_type, "manifests": children},
            media_type,
        )


def make_layer(files):
    """Build a layer from files; return it compressed and uncompressed."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0), plain.getvalue()


def _push_manifest(client, architecture, config, layers):
    document = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "OF_BASE=yes"], **config},
        "rootfs": {"type": "layers", "diff_ids": [_compute_digest(plain) for _, plain in layers]},
    }
    packed = json.dumps(document).encode()
    media_type = f"{_DOCKER}distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _push_blob(client, packed, f"{_DOCKER}container.image.v1+json"),
        "layers": [
            _push_blob(client, content, f"{_DOCKER}image.rootfs.diff.tar.gzip")
            for content, _ in layers
        ],
    }
    return _put_manifest(client, None, manifest, media_type)


def _push_blob(client, content, media_type):
    location = client.post("blobs/uploads/").raise_for_status().headers["location"]
    end = httpx.URL(location).copy_merge_params({"digest": _compute_digest(content)})
    client.put(end, content=content).raise_for_status()
    return {"mediaType": media_type, "digest": _compute_digest(content), "size": len(content)}


def _put_manifest(client, tag, document, media_type):
    content = json.dumps(document).encode()
    digest = _compute_digest(content)
    headers = {"content-type": media_type}
    client.put(f"manifests/{tag or digest}", content=content, headers=headers).raise_for_status()
    return digest, len(content)


def _compute_digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
