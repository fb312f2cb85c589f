"""The types of the deploy pipeline: Project -build-> Build -bundle-> Bundle -deploy-> Deployment.

Each type is named after the stage that creates it. All these types are frozen and keyword-only, so
a field with a default can be added without breaking a deployer.
"""

from mastra_core.pipeline.build import Build
from mastra_core.pipeline.bundle import MANIFEST, Bundle
from mastra_core.pipeline.deployment import Deployment, DeployRequest, Git, Plan, Stage, State
from mastra_core.pipeline.file_tree import lay_out, measure_files
from mastra_core.pipeline.log_line import LogLine
from mastra_core.pipeline.manifest import BundleManifest, Serve
from mastra_core.pipeline.problem import Problem
from mastra_core.pipeline.project import Environment, Project
from mastra_core.pipeline.report import Report, SilentReport
from mastra_core.pipeline.target import Platform, Target, TargetLimits

__all__ = (
    "MANIFEST",
    "Build",
    "Bundle",
    "BundleManifest",
    "DeployRequest",
    "Deployment",
    "Environment",
    "Git",
    "LogLine",
    "Plan",
    "Platform",
    "Problem",
    "Project",
    "Report",
    "Serve",
    "SilentReport",
    "Stage",
    "State",
    "Target",
    "TargetLimits",
    "lay_out",
    "measure_files",
)
