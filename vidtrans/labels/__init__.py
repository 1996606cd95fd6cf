"""What a label map means: schemes, detection, pixels to ids, boundaries, edits, a report."""

from vidtrans.labels.boundary import boundary, instances_from_labels
from vidtrans.labels.detect import LabelChoice, detect, parse_labels, resolve
from vidtrans.labels.encodings import ENCODINGS, Encoding
from vidtrans.labels.palette import colourise
from vidtrans.labels.reader import LabelReader
from vidtrans.labels.report import LabelReport, ReadReport, ReportBuilder
from vidtrans.labels.scheme import LabelClass, PlaneMap, Scheme, builtin_schemes, load_scheme
from vidtrans.labels.scheme_detector import Detection

__all__ = [
    "ENCODINGS",
    "Detection",
    "Encoding",
    "LabelChoice",
    "LabelClass",
    "LabelReader",
    "LabelReport",
    "PlaneMap",
    "ReadReport",
    "ReportBuilder",
    "Scheme",
    "boundary",
    "builtin_schemes",
    "colourise",
    "detect",
    "instances_from_labels",
    "load_scheme",
    "parse_labels",
    "resolve",
]
