"""Plan a deploy by comparing the image with the registry."""

from __future__ import annotations

from collections.abc import Mapping

from mastra_core.pipeline import Bundle, DeployRequest, Plan
from mastra_core.secret import Secret
from mastra_deployer_oci.settings import OciDeployer

__all__ = ("describe_variables", "plan_deploy")


def plan_deploy(
    bundle: Bundle,
    settings: OciDeployer,
    credentials: Mapping[str, Secret],
    request: DeployRequest,
) -> Plan:
    """Return what a deploy would push and which tag it would move, without changing anything.

    :param bundle: the bundle to deploy.
    :param settings: settings of the deployer.
    :param credentials: values of the credentials that are set.
    :param request: options of the deploy.
    :returns: the plan.
    :raises ConfigError: when a draft would be merged into the image of a tag.
    """
    from mastra_deployer_oci.api.tags import build_id, choose_tag
    from mastra_deployer_oci.deploy.image import is_draft, open_image

    with open_image(bundle, settings, credentials, request) as (registry, image):
        missing_blobs = [blob for blob in image.blobs if not registry.has_blob(blob.digest)]
        upload = sum(blob.size for blob in missing_blobs if not blob.mount)
        tag = choose_tag(settings.tag, request.environment, request.branch)
        current = registry.find_readable_manifest(tag)
        name, own_tag = registry.image.name, build_id(image.root.digest)
        exists = registry.find_readable_manifest(image.root.digest) is not None
        is_current = current is not None and current.digest == image.root.digest
        moved_tag = "" if is_current or is_draft(request) else f"{name}:{tag}"
        return Plan(
            creates=(
                *(f"layer {blob.name} ({blob.size / 1e6:.1f} MB)" for blob in missing_blobs),
                *(() if exists else (f"{name}:{own_tag}",)),
                *((moved_tag,) if moved_tag and current is None else ()),
            ),
            changes=(f"{moved_tag}, to {own_tag}",) if moved_tag and current is not None else (),
            upload=upload,
            present=sum(blob.size for blob in image.blobs) - upload,
            notes=describe_variables(bundle),
        )


def describe_variables(bundle: Bundle) -> tuple[str, ...]:
    """Return notes about the variables that a container needs; an image contains no values.

    :param bundle: the bundle of the app.
    :returns: one note for the required and one for the optional variables.
    """
    required_names, optional_names = bundle.manifest.required, bundle.manifest.optional
    notes = []
    if required_names:
        notes.append(f"Set these variables for the container: {', '.join(required_names)}")
    if optional_names:
        notes.append(f"Optional variables of the container: {', '.join(optional_names)}")
    return tuple(notes)
