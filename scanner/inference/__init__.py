"""Running models with ONNX Runtime."""

import os

# From 1.29 on ONNX Runtime reports every session (model file name, graph name, hashes) to its maker and keeps a file
# among the temporaries for it. What people scan is theirs; set the variable to 0 to allow it. It is read when
# onnxruntime is imported, so this comes first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
