"""Write the tables of options in docs/convert.md, from what the settings say of themselves."""

import re
from pathlib import Path

from vidtrans.cli.options import option_table
from vidtrans.pipeline.settings import ConvertSettings

PAGE = Path(__file__).parents[1] / "docs" / "convert.md"
BEGIN, END = "<!-- options: scripts/docs_options.py -->", "<!-- end of the options -->"

if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    table = f"{BEGIN}\n\n{option_table(ConvertSettings)}\n{END}"
    written, count = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: table, text, flags=re.DOTALL
    )
    if count != 1:
        raise SystemExit(f"{PAGE} has no place for the options")
    PAGE.write_text(written, encoding="utf-8")
