"""From a genome to a track. NumPy, Numba, pyfaidx, ONNX Runtime; never torch."""
