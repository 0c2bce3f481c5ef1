"""Which of torch's errors mean a full card, which a lost one, and which neither. Their texts are torch's own."""

from __future__ import annotations

import pytest
import torch

from otterbot_worker.gpu import attention
from otterbot_worker.images.load import device as devices

FULL = [
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 7.92 GiB",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "CUDA driver error: out of memory",
    "[enforce fail at alloc_cpu.cpp:119] err == 0. DefaultCPUAllocator: not enough memory: you tried to allocate",
    "GET was unable to find an engine to execute this computation",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED",
]
LOST = [
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: unspecified launch failure",
    "CUDA error: the launch timed out and was terminated",
    "CUDA error: device-side assert triggered",
    "CUDA driver error: unknown error",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb)`",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "cuDNN error: CUDNN_STATUS_MAPPING_ERROR",
]
NEITHER = [
    "mat1 and mat2 shapes cannot be multiplied (2x768 and 1024x320)",
    "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!",
]


@pytest.mark.parametrize("text", FULL)
def test_a_full_card_is_known_in_all_its_words(text: str) -> None:
    for kind in {RuntimeError, getattr(torch, "AcceleratorError", RuntimeError)}:
        assert devices.is_out_of_memory(kind(text))
        assert not devices.is_fatal(kind(text))


@pytest.mark.parametrize("text", LOST)
def test_a_lost_one_as_well(text: str) -> None:
    assert devices.is_fatal(RuntimeError(text))
    assert not devices.is_out_of_memory(RuntimeError(text))


@pytest.mark.parametrize("text", NEITHER)
def test_what_is_neither_fails_its_picture_alone(text: str) -> None:
    assert not devices.is_fatal(RuntimeError(text))
    assert not devices.is_out_of_memory(RuntimeError(text))


def test_the_types_speak_for_themselves() -> None:
    assert devices.is_out_of_memory(torch.OutOfMemoryError("anything"))
    assert devices.is_out_of_memory(MemoryError())
    assert not devices.is_fatal(ValueError("CUDA error: quoted in a prompt"))


def test_the_kernels_for_attention_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes memory of the card, which is full one day."""
    asked = attention.kernels("cpu", "float32")

    def full(*_: object, **__: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "empty", full)
    assert attention.kernels("cpu", "float32") == asked
