"""A table for a paper."""

from cliper.experiments.drawing.tables import TextTable

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "≥": r"$\geq$", "τ": r"$\tau$", "∞": r"$\infty$", "ρ": r"$\rho$",
    "<": r"$<$", ">": r"$>$",
}  # fmt: skip


def latex(table: TextTable) -> str:
    r"""The table in LaTeX (package `booktabs`), best values bold, second best underlined.

    Rows that begin alike stand together. The protocol is the caption.


    >>> print(latex(TextTable(("a_b", "n"), (("x & y", "1"),), ((0, 1),), (1,), "5 %")))
    \begin{table}
    \centering
    \begin{tabular}{lr}
    \toprule
    a\_b & n \\
    \midrule
    x \& y & \textbf{1} \\
    \bottomrule
    \end{tabular}
    \caption{5 \%}
    \end{table}
    <BLANKLINE>
    """
    places = "".join("r" if c in table.numeric else "l" for c in range(len(table.columns)))
    lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{places}}}", r"\toprule"]
    lines += [_line([escape(column) for column in table.columns]), r"\midrule"]
    heads = [row[0] for row in table.rows]
    grouped = len(set(heads)) < len(heads)
    for r, row in enumerate(table.rows):
        cells = [escape(cell) for cell in row]
        for c, cell in enumerate(cells):
            mark = "textbf" if (r, c) in table.best else "underline"
            if (r, c) in table.best or (r, c) in table.second:
                cells[c] = rf"\{mark}{{{cell}}}"
        if grouped and r and row[0] != table.rows[r - 1][0]:
            lines.append(r"\addlinespace")
        lines.append(_line(cells))
    lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{escape(table.protocol)}}}"]
    return "\n".join([*lines, r"\end{table}", ""])


def escape(text: str) -> str:
    r"""Text with every character that LaTeX would read otherwise made harmless.

    >>> escape("50 % of a_b")
    '50 \\% of a\\_b'
    """
    return "".join(_SPECIAL.get(character, character) for character in text)


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
