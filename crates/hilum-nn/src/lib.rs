//! CNN engine for CPUs: network description, static plan, SIMD kernels, training and inference, ONNX out.
