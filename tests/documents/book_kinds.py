"""Books as different programs make them: notes, references to them, page numbers and drop caps; and what is read."""

KINDS = {
    "EPUB 2": (
        {
            "a.html": """<h1>One<a href="notes.html#x9">*</a></h1>
                <p>A claim.<a id="r1" href="notes.html#x1">[4]</a> More<a href="notes.html#x2"><sup>5</sup></a>
                words.<sup><a href="#fn1">*</a></sup> End<a href="notes.html#x3">6</a>.
                He [<a href="notes.html#x4">7</a>] went<a href="notes.html">8</a><a href="#">9</a>.</p>
                <p>See <a href="b.html#c2">chapter 2</a>, <a href="b.html">1984</a> and <a href="b.html#c2">2</a>.</p>
                <h4>Footnotes</h4><p id="fn1">* A footnote.</p>""",
            "b.html": """<h1><a href="toc.html#t2">2</a> Two</h1>
                <p id="c2">A bare mark<sup>1</sup> at 10<sup>th</sup> and mc<sup>2</sup>.</p>""",
            "notes.html": """<h1>Notes</h1><p id="x1"><a href="a.html#r1">4.</a> A note.</p>
                <p><a id="x2"></a>5. Another.</p><div id="x3"><p>A third</p><p>of two parts.</p></div>
                <p id="x4">7</p><p id="x9">*</p>""",
        },
        [
            "One",
            "A claim. More words. End. He went.",
            "See chapter 2, 1984 and 2.",
            "2 Two",
            "A bare mark at 10th and mc^2.",
        ],
    ),
    "EPUB 3": (
        {
            "a.html": """<h1>One</h1><p>Page<span epub:type="pagebreak" role="doc-pagebreak" aria-label="18">18</span>
                break in<span epub:type="pagebreak" id="p19" title="19"/> a text.<a epub:type="noteref"
                href="#n1">1</a></p>
                <div epub:type="pagebreak" title="17">17</div>
                <aside id="n1" epub:type="footnote"><p>A note.</p></aside>
                <p>End.<a role="doc-noteref" href="#n2">2</a></p>
                <section role="doc-endnotes"><h2>Notes</h2><ol><li id="n2">Two.</li></ol></section>"""
        },
        ["One", "Page break in a text.", "End."],
    ),
    "Project Gutenberg": (
        {
            "a.html": """<h2><a name="I" id="I"></a>CHAPTER I</h2>
                <p><span class="pagenum"><a name="Page_19" id="Page_19">[Pg 19]</a></span><img src="t.png" alt="T"/>he
                night<a name="FNanchor_1_1" id="FNanchor_1_1"></a><a href="#Footnote_1_1" class="fnanchor">[1]</a>
                was de<span class="x-ebookmaker-pageno" title="[20]"></span>light. [Pg 21]</p>
                <p>[Pg xii] Ten<sup>1</sup> men[2] of 1<sup>1</sup>/<sub>2</sub>.</p>
                <div class="footnote"><p><a name="Footnote_1_1" id="Footnote_1_1"></a><a href="#FNanchor_1_1">
                <span class="label">[1]</span></a> A note.</p></div>"""
        },
        ["CHAPTER I", "The night was delight.", "Ten men of 1 1/2."],
    ),
    "Calibre": (
        {
            "s0.html": """<p class="calibre1"><span class="bold">One</span></p>
                <p class="calibre5"><span class="calibre9">T</span>he claim<sup class="calibre7"><small
                class="calibre8"><a href="s1.html#filepos12">1</a></small></sup> is x<sup class="calibre7">2</sup>
                and <span><img alt="I" src="i.jpg"/></span> go<a href="s1.html#filepos34"
                class="calibre3"><span class="calibre9">2</span></a>.</p>""",
            "s1.html": """<p class="calibre5" id="filepos12"><a href="s0.html#filepos1">1</a> A note.</p>
                <p class="calibre5"><a id="filepos34" href="s0.html#filepos2">2</a> Another.</p>""",
        },
        ["One", "The claim is x^2 and go."],
    ),
    "Standard Ebooks": (
        {
            "a.html": """<section id="c1" epub:type="chapter"><h2><span epub:type="label">Chapter</span>
                <span epub:type="ordinal z3998:roman">I</span></h2>
                <p>It was so.<a href="e.html#note-1" id="noteref-1" epub:type="noteref">1</a> A<abbr>.M.</abbr></p>
                </section>""",
            "e.html": """<section id="endnotes" epub:type="endnotes" role="doc-endnotes">
                <h2 epub:type="title">Endnotes</h2><ol><li id="note-1" epub:type="endnote"><p>A note.
                <a href="a.html#noteref-1" epub:type="backlink">↩</a></p></li></ol></section>""",
        },
        ["Chapter I", "It was so. A.M."],
    ),
    "InDesign": (
        {
            "a.html": """<p class="ChapterTitle">One</p><p>It is<span class="superscript _idGenCharOverride-1"><a
                class="_idFootnoteLink" href="a.html#footnote-001">1</a></span> so.</p>
                <div class="_idFootnotes"><div id="footnote-001" class="_idFootnote">
                <p class="Footnote-Text"><a href="#x">1</a> A note.</p></div></div>"""
        },
        ["One", "It is so."],
    ),
}
"""Pages by name, and the paragraphs that are read."""
