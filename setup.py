"""Packaging: the one place of metadata. The version is that of the package."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
PACKAGE = (ROOT / "openai_realtime_client/version.py").read_text("utf-8")
VERSION = re.search(r'^__version__ = "(.+)"$', PACKAGE, re.MULTILINE)
assert VERSION, "the package has no __version__"

# Where the project lives is known to whoever publishes it: the release workflow sets the variable.
# Without it there are no URLs, and the links of the README stay relative.
REPOSITORY = os.environ.get("REPOSITORY_URL", "").rstrip("/")
README = (ROOT / "README.md").read_text("utf-8")
URLS = {}
if REPOSITORY:
    blob = f"{REPOSITORY}/blob/v{VERSION[1]}"
    README = re.sub(r"\]\((?!\w+:|#)", f"]({blob}/", README)
    URLS = {
        "Homepage": REPOSITORY,
        "Documentation": f"{blob}/docs/README.md",
        "Changelog": f"{blob}/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }

setup(
    name="openai-realtime-openapi",
    version=VERSION[1],
    description="Typed, lossless client for OpenAI's Realtime API, generated from OpenAPI",
    long_description=README,
    long_description_content_type="text/markdown",
    license_expression="MIT",
    license_files=["LICENSE"],
    project_urls=URLS,
    python_requires=">=3.10",
    packages=find_packages(include=["openai_realtime_client", "openai_realtime_client.*"]),
    package_data={"openai_realtime_client": ["py.typed", "cli/page.html"]},
    install_requires=[
        "pydantic>=2.12,<3",
        "python-dateutil>=2.9.0",
        "typing-extensions>=4.14.1",
        "urllib3>=2.6,<3",
    ],
    extras_require={
        # Below the next major version, which has to be tried first.
        "websocket": ["websockets>=15,<18"],
        "audio": ["miniaudio>=1.61"],
    },
    entry_points={
        "console_scripts": ["openai-realtime = openai_realtime_client.cli:main"],
        "pyinstaller40": ["hook-dirs = openai_realtime_client.cli.pyinstaller:hook_directories"],
        "pytest11": ["openai_realtime_client = openai_realtime_client.testing.pytest_plugin"],
    },
    keywords=["openai", "realtime", "voice", "speech", "websocket", "openapi"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: AsyncIO",
        "Framework :: Pytest",
        "Intended Audience :: Developers",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Typing :: Typed",
    ],
)
