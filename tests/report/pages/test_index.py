"""The page that leads to all reports."""

from html_tags import Tags

from guidebench.report.pages import index


def test_index_leads_to_reports() -> None:
    verdicts = {"holds": 3, "undecided": 1}
    page = {"description": "", "findings": verdicts}
    text = index.render(
        [page | {"name": name, "report_path": f"{name}/report.html"} for name in ("b", "a")]
    )
    links = [attributes["href"] for tag, attributes in Tags(text).found if tag == "a"]
    assert links == ["a/report.html", "b/report.html"]
    assert "3 holds" in text
