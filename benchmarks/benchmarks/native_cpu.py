"""The question for the features of the processor; it is asked once at import."""

from siltstone._native.cpu import cpu_features


class Features:
    """A few instructions of the processor and a dict."""

    def time_cpu_features(self) -> None:
        cpu_features()
