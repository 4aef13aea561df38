"""Take the template of `inspect --html` along."""

from PyInstaller.utils.hooks import collect_data_files  # type: ignore[import-untyped]

datas = collect_data_files("openai_realtime_client")
