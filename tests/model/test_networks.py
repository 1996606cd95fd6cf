"""Building networks."""

import subprocess
import sys


def test_loading_a_model_leaves_the_compiler_of_pytorch_alone():
    """It takes a second to load, and nothing here compiles."""
    program = (
        "import sys, vidtrans; vidtrans.load_model('street', device='cpu');"
        " print('torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.split() == ["False", "False"], found.stderr
