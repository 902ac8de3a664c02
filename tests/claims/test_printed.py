"""Printed numbers as tables."""

from nbsrc.claims.printed import printed_numbers_html


def test_nested_data_become_lines_with_names():
    html = printed_numbers_html(("a", "b"), {"vgg": {"clean": [1, 2.5]}})
    assert '<td></td><th scope="col">a</th><th scope="col">b</th>' in html
    assert '<tr><th scope="row">vgg, clean</th><td>1</td><td>2.5</td></tr>' in html


def test_a_plain_table_has_no_names():
    html = printed_numbers_html(("k", "t"), [["(3, 3)", 26.5], ["<5>", 1]])
    assert "<td>(3, 3)</td><td>26.5</td>" in html
    assert "<td>&lt;5&gt;</td>" in html
    assert 'scope="row"' not in html


def test_single_values_are_lines_of_their_own():
    assert printed_numbers_html(None, {"x": 1, "y": "z"}).count("<tr>") == 2
