# Copyright 2026 Bytedance Ltd. and/or its affiliates
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Which types of parameters the Megatron engine can be configured with."""

import pytest
import torch

from verl.utils.torch_dtypes import PrecisionType
from verl.workers.config import McoreEngineConfig


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtype_is_accepted(dtype):
    config = McoreEngineConfig(dtype=dtype, forward_only=True)
    assert PrecisionType.to_dtype(config.dtype) == getattr(torch, dtype)


@pytest.mark.parametrize("dtype", ["float64", "int8"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(AssertionError, match=f"dtype {dtype} not supported"):
        McoreEngineConfig(dtype=dtype, forward_only=True)
