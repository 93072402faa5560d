"""Decision tables to read in tests, in the form in which Camunda Modeler saves them."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from activities.review_document.limits.decision_table import DecisionTable

DMN_1_1 = "http://www.omg.org/spec/DMN/20151101/dmn.xsd"
DMN_1_2 = "http://www.omg.org/spec/DMN/20180521/MODEL/"
DMN_1_3 = "https://www.omg.org/spec/DMN/20191111/MODEL/"
CAMUNDA = "http://camunda.org/schema/1.0/dmn"

OUTPUTS = ("passes", "reason", "category")
AUC, R2, METHODOLOGY = "auc", "r2_score", "modelMethodology"
LARGEST, SMALLEST = "Bias_maxPPRDisparityValue", "Bias_minPPRDisparityValue"
KS_DRIFT = "DataDrift_maxKolmogorov-SmirnovPValue"
CSI, DW = "CSI_maxCSIValue", "dw_statistic"

Row = tuple[dict[str, str], Sequence[str]]
"""The non-empty cells by input, and the outputs as they are written."""


def row(cells: dict[str, str], passes: str, reason: str = "", category: str = "", action: str | None = None) -> Row:
    """A rule whose texts are put into quotes."""
    texts = [reason, category] + ([] if action is None else [action])
    return cells, (passes, *(f'"{text}"' if text else "" for text in texts))


def decision(
    rows: Sequence[Row],
    *,
    hit_policy: str | None = "COLLECT",
    name: str = "Limits of the bank",
    outputs: Sequence[str] = OUTPUTS,
    inputs: str | None = None,
    language: str = "",
    attributes: str = "",
) -> str:
    """One decision; `inputs` replaces the columns, which otherwise are the names in the rows."""
    names = list(dict.fromkeys(key for cells, _ in rows for key in cells))
    policy = f' hitPolicy="{hit_policy}"' if hit_policy else ""
    columns = "".join(input_column(key, variable=key) for key in names) if inputs is None else inputs
    results = "".join(f'<output id="o{i}" name="{key}" typeRef="string"/>' for i, key in enumerate(outputs))
    body = "".join(_rule(cells, values, names, language) for cells, values in rows)
    return (
        f"<decision id={quoteattr(name)} name={quoteattr(name)}><decisionTable{policy} {attributes}>"
        f"{columns}{results}{body}</decisionTable></decision>"
    )


def input_column(label: str, *, expression: str = "", variable: str = "") -> str:
    """A column of conditions."""
    bound = f" camunda:inputVariable={quoteattr(variable)}" if variable else ""
    return (
        f"<input label={quoteattr(label)}{bound}>"
        f'<inputExpression typeRef="double"><text>{escape(expression)}</text></inputExpression></input>'
    )


def file(*decisions: str, namespace: str = DMN_1_3, before: str = "", encoding: str = "UTF-8") -> bytes:
    """A whole file."""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>{before}<definitions xmlns="{namespace}" '
        f'xmlns:camunda="{CAMUNDA}" id="d" name="d" namespace="n">{"".join(decisions)}</definitions>'
    )
    return text.encode(encoding)


def table(rows: Sequence[Row], **options: str | Sequence[str] | None) -> DecisionTable:
    """The decision table of these rules, read from a file."""
    return DecisionTable.read(file(decision(rows, **options)), filename="limits.dmn")  # type: ignore[arg-type]


def limits_like_the_standard_ones() -> list[Row]:
    """The standard limits as rules, in the shape that ModelOp Center's own table has: sentinels and all."""
    either_side = {
        "Characteristic Stability": (CSI, "]-99..0.2]", ">0.2"),
        "Score Stability": ("score_PSI", "]-99..0.2]", ">0.2"),
        "Autocorrelation": (DW, "]1..3[", ">=3,]-99..1]"),
        "Homoscedacticity: Breusch Pagan": ("breusch_pagan_f_p_value", ">0.05", "<=0.05"),
        "Homoscedacticity: Engle Lagrange Multiplier": ("engle_lm_p_value", ">0.05", "<=0.05"),
        "Homoscedacticity: Ljung Box Q": ("Homoscedasticity_minLjungBoxQPValue", ">0.05", "<=0.05"),
        "Normality: Kolmogorov Smirnov": ("ks_p_value", ">0.05", "]-99..0.05]"),
        "Normality: Anderson Darling": ("ad_p_value", ">0.05", "]-99..0.05]"),
        "Normality: Cramer Von Mises": ("cvm_p_value", ">0.05", "]-99..0.05]"),
        "Linearity: Pearson Correlation": ("Linearity_minPearsonCorrelationValue", ">=0.1", "]-99..0.1["),
        "Mulitcolinearity": ("Multicollinearity_maxVIFValue", "]-99..10[", ">=10"),
        "PII": ("num_PII_violations", "[0..0]", ">0"),
    }
    regression = f'{METHODOLOGY}.equalsIgnoreCase("linear regression") && {R2}'
    rows = [
        row({AUC: ">=0.7"}, "true", "ranks well enough", "Performance"),
        row({AUC: "]0..0.7["}, "false", "ranks too weakly", "Performance"),
        row({AUC: "-99"}, "false", "was not computed", "Performance"),
        row({R2: f"{regression}>=0.7 && {R2}<99"}, "true", "explains enough", "Performance"),
        row({R2: f"{regression}<0.7"}, "false", "explains too little", "Performance"),
        row({R2: "99"}, "false", "was not computed", "Performance"),
        row({LARGEST: "[0..1.2]", SMALLEST: ">=0.8"}, "true", "groups fare alike", "Bias Disparity"),
        row({LARGEST: ">1.2"}, "false", "a group is favoured", "Bias Disparity"),
        row({SMALLEST: "]-99..0.8["}, "false", "a group is disfavoured", "Bias Disparity"),
        row({LARGEST: "-99"}, "false", "was not computed", "Bias Disparity"),
    ]
    for category, (metric, passes, fails) in either_side.items():
        rows += [
            row({metric: passes}, "true", "within the limit", category),
            row({metric: fails}, "false", "outside the limit", category),
            row({metric: "-99"}, "false", "was not computed", category),
        ]
    return rows


def _rule(cells: dict[str, str], values: Sequence[str], names: Sequence[str], language: str) -> str:
    spoken = f' expressionLanguage="{language}"' if language else ""
    conditions = "".join(f"<inputEntry{spoken}><text>{escape(cells.get(n, ''))}</text></inputEntry>" for n in names)
    results = "".join(f"<outputEntry><text>{escape(value)}</text></outputEntry>" for value in values)
    return f"<rule>{conditions}{results}</rule>"
