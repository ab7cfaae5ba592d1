"""A page in a real browser: it holds what the facts say, asks for nothing, and everybody can use it."""

import copy

from axe_playwright_python.sync_playwright import Axe

from microstage_report.page import render

_ORDER = ["verdict", "comparison", "signal", "confusion", "scores", "accuracy", "proofs", "layers", "errors"]
_ORDER += ["graphs", "distributions", "code", "device", "learning", "provenance"]
_MOST = 2_000_000  # bytes
_HOSTILE = "</script><script>alert('hurt')</script><img src='http://elsewhere.test/x' onerror=\"alert('hurt')\">{{7*7}}"
_ALIKE = "tbody tr:nth-child(n+4), .node ~ .node, .edge, .layers figure ~ figure"
_NAMED = ("parameters", "figures")


def test_a_page_shows_all_that_the_facts_say_in_order_and_asks_for_nothing(looked, facts, pages):
    told = facts[looked.kind]
    sections = looked.page.eval_on_selector_all("main > section", "all => all.map(one => one.id)")
    assert sections == [name for name in _ORDER if name in told]
    drawn = looked.page.eval_on_selector_all(
        ".canvas", "all => all.map(one => [one.querySelectorAll('.node').length, one.querySelectorAll('.edge').length])"
    )
    assert drawn == [[len(graph["nodes"]), len(graph["edges"])] for graph in told.get("graphs", [])]
    assert looked.page.locator(".layers .histogram").count() == len(told.get("distributions", []))
    assert looked.page.inner_text(".sentence") == told["verdict"]["sentence"]
    assert looked.asked == [pages[looked.kind].as_uri()]
    assert looked.said == []
    assert pages[looked.kind].stat().st_size < _MOST


def test_under_every_figure_is_a_table(looked):
    figures = looked.page.locator("figure.card")
    assert figures.count() > 0
    for index in range(figures.count()):
        assert figures.nth(index).locator("tbody tr").count() > 0


def test_bars_are_shares_of_the_device(looked, facts):
    """Half of a device's block RAM is half a bar, however little of anything else is taken."""
    rows = facts[looked.kind].get("device", {"rows": []})["rows"]
    bars = looked.page.eval_on_selector_all("#device .bar", "all => all.map(one => parseFloat(one.style.width))")
    assert bars == [row["share"] for row in rows if "share" in row]


def test_axe_finds_nothing_serious_in_either_theme(looked):
    paper, fewer = set(), looked.page.add_style_tag(content=f"{_ALIKE} {{ display: none }}")
    for scheme in ("light", "dark"):
        looked.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        paper.add(
            looked.page.evaluate(
                "getComputedStyle(document.body).backgroundColor + getComputedStyle(document.body).color"
            )
        )
        found = Axe().run(looked.page).response["violations"]
        serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert {rule["id"]: [node["html"] for node in rule["nodes"]][:3] for rule in serious} == {}, scheme
    fewer.evaluate("style => style.remove()")
    assert len(paper) == 2


def test_every_link_leads_somewhere_on_the_page(looked):
    links = looked.page.eval_on_selector_all("a", "all => all.map(one => one.getAttribute('href'))")
    assert len(links) > 2
    for link in links:
        assert link.startswith("#") and looked.page.locator(link).count() == 1, link


def test_a_phone_scrolls_up_and_down_alone(looked):
    looked.page.set_viewport_size({"width": 360, "height": 740})
    assert looked.widest() <= 360
    looked.page.set_viewport_size({"width": 1280, "height": 900})


_TURN = """([x, y]) => document.querySelector('.canvas').dispatchEvent(new WheelEvent('wheel',
    {deltaY: -200, ctrlKey: true, clientX: x, clientY: y, bubbles: true, cancelable: true}))"""
"The wheel with Ctrl; false where the page took it."


def test_the_graph_is_zoomed_by_keys_buttons_wheel_and_fingers(look, pages):
    look.open(pages["classifier"])
    for _ in range(60):
        look.page.keyboard.press("Tab")
        if look.page.evaluate("document.activeElement.className") == "canvas":
            break
    seen = [look.placed()]

    def changed():
        seen.append(look.placed())
        assert seen[-1] != seen[-2]

    look.page.keyboard.press("+")
    changed()
    look.page.keyboard.press("ArrowDown")
    changed()
    look.page.get_by_role("button", name="Show all").first.press("Enter")
    changed()
    look.page.evaluate("document.querySelector('.canvas').scrollIntoView({block: 'center', behavior: 'instant'})")
    box = look.page.locator(".canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    assert look.page.evaluate(_TURN, [x, y]) is False, "the browser's own zoom is held back"
    changed()
    _pinch(look.page, x, y)
    changed()


def _pinch(page, x, y):
    """Put two fingers down and draw them apart."""
    fingers = page.context.new_cdp_session(page)
    for kind, apart in (("touchStart", 20), ("touchMove", 60), ("touchMove", 90)):
        points = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_what_a_file_calls_itself_is_text_and_nothing_else(look, facts, tmp_path):
    keep = ("state", "id", "edges", "key", "datatype", "front")
    told = {**copy.deepcopy(facts["file"]), "accuracy": facts["classifier"]["accuracy"]}
    told["comparison"] = facts["comparison"]["comparison"]
    told["confusion"], told["signal"] = facts["classifier"]["confusion"], facts["harmonic"]["signal"]
    page = tmp_path / "hostile.html"
    page.write_text(render(_hostile(told, keep)))
    look.open(page)
    assert (look.said, look.asked) == ([], [page.as_uri()])
    assert look.page.locator("img").count() == 0
    assert look.page.inner_text("h1") == f"{_HOSTILE}{told['title']}"
    assert look.page.locator(".node text").first.text_content().startswith(_HOSTILE)


def _hostile(value, keep, named=False):
    """Put the hostile text before every text, but for those under a key in `keep`; names of figures are text too."""
    if isinstance(value, dict):
        return {
            (_HOSTILE + key if named else key): inner if key in keep else _hostile(inner, keep, key in _NAMED)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_hostile(inner, keep) for inner in value]
    return _HOSTILE + value if isinstance(value, str) else value


def test_without_javascript_the_pictures_stand_still(browser, pages):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(pages["harmonic"].as_uri())
        assert page.locator(".plot svg").count() == page.locator(".plot").count() > 0
        assert page.locator(".plot svg").first.is_visible()


def test_marks_that_act_on_the_reader_and_numbers_without_end_are_spelt_out():
    told = {
        "title": "a\u202eb",
        "verdict": {"state": "proven"},
        "provenance": {"rows": [{"what": "x", "value": 1e999}]},
    }
    page = render(told)
    assert "a\\u202eb" in page and "\u202e" not in page and "inf" not in page.split("</style>")[1].split("<script>")[0]
