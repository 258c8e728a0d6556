//! What strangers' HTML becomes.

use proptest::prelude::*;

use super::*;

fn clean(html: &str) -> String {
    let mut out = String::new();
    sanitize(html, &|id| (id == "logo@x").then(|| "2".to_owned()), &mut out);
    out
}

#[test]
fn elements_are_in_order_and_short_enough_to_be_found() {
    assert!(ELEMENTS.is_sorted());
    assert!(ELEMENTS.iter().all(|element| written(&element.to_ascii_uppercase()) == Some(*element)));
}

#[test]
fn harmless_html_stays() {
    let cases = [
        ("<p>Hi <b>you</b></p>", "<p>Hi <b>you</b></p>"),
        ("a &amp; b &lt;c&gt; 1 < 2", "a &amp; b &lt;c&gt; 1 &lt; 2"),
        ("<P ALIGN=center>x", "<p align=\"center\">x</p>"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>"),
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ("a<br/>b</br>c<hr>", "a<br>b<br>c<hr>"),
        (
            "<a href=\"https://x.example/?a=1&amp;b=2\" onclick=x()>y</a>",
            "<a href=\"https://x.example/?a=1&amp;b=2\" rel=\"noopener noreferrer nofollow\" target=\"_blank\">y</a>",
        ),
        ("<span style=\"color:red;position:fixed\">x</span>", "<span style=\"color:red\">x</span>"),
        ("<td colspan=2>x</td>", "<td colspan=\"2\">x</td>"),
        ("cut <b", "cut &lt;b"),
        ("<html><body class=x>a</body></html>", "a"),
    ];
    for (html, expected) in cases {
        assert_eq!(clean(html), expected, "{html}");
    }
}

#[test]
fn images_load_nothing() {
    let cases = [
        ("<img src=cid:logo@x alt=Logo>", "<img data-attachment=\"2\" alt=\"Logo\">"),
        ("<img src='CID:logo%40x'>", "<img data-attachment=\"2\">"),
        ("<img src=cid:other>", "<img>"),
        ("<img src=\"https://t.example/p.gif?u=1\">", "<img data-blocked-src=\"https://t.example/p.gif?u=1\">"),
        ("<img src=//t.example/p.gif>", "<img data-blocked-src=\"https://t.example/p.gif\">"),
        ("<img srcset=\"https://t.example/p.gif 2x\">", "<img>"),
        ("<img src=\"data:image/png;base64,AAAA\">", "<img src=\"data:image/png;base64,AAAA\">"),
        ("<img src=\"data:image/svg+xml;base64,AAAA\">", "<img>"),
        ("<img src=\"data:text/html,x\">", "<img>"),
        ("<img src=/relative.png>", "<img>"),
        ("<td background=https://t.example/p.gif>x</td>", "<td>x</td>"),
        ("<video poster=https://t.example/p.gif src=x></video>", ""),
        ("<link rel=stylesheet href=https://t.example/s.css>", ""),
    ];
    for (html, expected) in cases {
        assert_eq!(clean(html), expected, "{html}");
    }
}

#[test]
fn nothing_runs() {
    let attacks = [
        "<script>alert(1)</script>",
        "<SCRIPT SRC=https://x.example/x.js></SCRIPT>",
        "<scr<script>ipt>alert(1)</scr</script>ipt>",
        "<img src=x onerror=alert(1)>",
        "<img/src=\"x\"/onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<svg><script>alert(1)</script></svg>",
        "<svg><style><img src=x onerror=alert(1)></style></svg>",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\"java&#115;cript:alert(1)\">x</a>",
        "<a href=\"java\nscript:alert(1)\">x</a>",
        "<a href=\"&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74:alert(1)\">x</a>",
        "<a href=\" &#14;  javascript:alert(1)\">x</a>",
        "<a href='vbscript:x'>x</a>",
        "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
        "<iframe src=https://x.example></iframe>",
        "<object data=x><embed src=x></object>",
        "<form action=https://x.example><input name=p><button>go</button></form>",
        "<meta http-equiv=refresh content='0;url=https://x.example'>",
        "<base href=https://x.example>",
        "<style>@import 'https://x.example/x.css';</style>",
        "<div style=\"background:url(javascript:alert(1))\">x</div>",
        "<div style=\"width:expression(alert(1))\">x</div>",
        "<!--><script>alert(1)</script>-->",
        "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<textarea><img title=\"</textarea><img src=x onerror=alert(1)>\"></textarea>",
        "<xmp><p title=\"</xmp><img src=x onerror=alert(1)>\"></xmp>",
        "<p title=\"`&quot;onmouseover=alert(1)\">x",
        "\"><img src=x onerror=alert(1)//",
        "<a href=https://x.example/\"onclick=alert(1)>x</a>",
        "<b/x=\"'\"'onclick=alert(1)'>x</b>",
    ];
    for attack in attacks {
        let html = clean(attack);
        assert!(is_allowed(&html), "{attack:?} became {html:?}");
    }
}

/// Whether HTML has only what may be written, found with another reading than the sanitizer's: every `<` begins a tag of
/// the list, and every tag matches the written form exactly.
fn is_allowed(html: &str) -> bool {
    html.split('<').skip(1).all(|piece| {
        let Some((tag, text)) = piece.split_once('>') else { return false };
        let (name, mut rest) = tag.split_at(tag.find(' ').unwrap_or(tag.len()));
        while let Some((key, after)) = rest.strip_prefix(' ').and_then(|rest| rest.split_once("=\"")) {
            let Some((value, after)) = after.split_once('"') else { return false };
            let is_known = ATTRIBUTES.contains(&key)
                || ["style", "href", "rel", "target", "data-attachment", "data-blocked-src", "src"].contains(&key);
            let is_safe = match key {
                "href" => LINKS.iter().any(|start| starts_with(value, start)),
                "src" => IMAGES.iter().any(|start| starts_with(value, start)),
                "style" => !value.contains("url") && !value.contains("expression"),
                _ => true,
            };
            if !is_known || !is_safe {
                return false;
            }
            rest = after;
        }
        let name = name.strip_prefix('/').unwrap_or(name);
        rest.is_empty() && ELEMENTS.contains(&name) && !text.contains('>')
    })
}

#[test]
fn depth_and_length_stay_bounded() {
    let deep = "<div>".repeat(100_000);
    assert_eq!(clean(&deep).matches("<div>").count(), DEPTH_MAX);
    let fonts: String = (0..20_000).map(|n| format!("<p><font color={n}><b>")).collect();
    assert!(clean(&fonts).len() < 2 * fonts.len());
    for piece in
        ["<", "<a", "<a b=\"", "<!--", "<svg>", "<style>", "</", "<a =\">\" ", "<b></i>", "&", "<a '\">", "<p>"]
    {
        let long = piece.repeat(100_000 / piece.len());
        assert!(clean(&long).len() <= 5 * long.len(), "{piece}");
    }
}

/// Text that looks like HTML.
pub(crate) fn html_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "<", ">", "</", "/>", "<!--", "-->", "<b>", "</b>", "<p ", "<a href=", "<img src=", "\"", "'", "=", " ", "&",
            "&lt;", "&#60", "&#x3c;", "script", "<script>", "</script>", "<style>", "</style>", "<svg>", "</svg>", "onload",
            "javascript:", "https://x", "cid:logo@x", "style=", "color:red;", "url(x)", "<td>", "</td>", "<table>",
            "</table>", "title=", "`", "\0", "<![CDATA[", "]]>", "<?x", "<title>", "<blockquote>", "<br>", "ä",
        ]).prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn whatever_comes_only_the_list_is_written(html in html_like()) {
        let once = clean(&html);
        prop_assert!(is_allowed(&once), "{:?} became {:?}", html, once);
        prop_assert_eq!(clean(&once).matches('<').count(), once.matches('<').count(), "{:?} became {:?}", html, once);
    }
}
