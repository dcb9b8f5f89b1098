import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { htmlToMarkdown } from "./html-to-markdown.js";

const url = "https://example.org/news/today.html";
const sentence = "Some text with enough words, and commas, to be taken for an article. ";

describe("what is kept", () => {
  it("headings, emphasis, code, lists and absolute links", () => {
    const { markdown, title } = htmlToMarkdown(
      `<!doctype html><html><head><title> The
        title</title></head><body><h2>Head</h2><p>A <b>bold</b> <a href="../x?a=1">link</a> and <code>code</code>.</p>
        <ul><li>one</li><li>two</li></ul><pre><code>let x;\nlet y;</code></pre></body></html>`,
      url,
    );
    expect(title).toBe("The title");
    expect(markdown).toContain("## Head");
    expect(markdown).toContain("**bold** [link](https://example.org/x?a=1) and `code`.");
    expect(markdown).toMatch(/- +one\n- +two/);
    expect(markdown).toContain("```\nlet x;\nlet y;\n```");
  });

  it("an article is taken out of its page", () => {
    const page = `<html><head><title>T</title></head><body><nav>${"<a href=/n>Nav</a> ".repeat(5)}</nav>
      <article><h1>Story</h1>${`<p>${sentence.repeat(5)}</p>`.repeat(8)}</article><footer>Imprint</footer></body></html>`;
    const { markdown } = htmlToMarkdown(page, url);
    expect(markdown).toContain(sentence.trim());
    expect(markdown).not.toContain("Nav");
    expect(markdown).not.toContain("Imprint");
  });

  it("a page of links is kept whole, although there is no article in it", () => {
    const stories = Array.from(
      { length: 30 },
      (_, i) =>
        `<tr><td>${i + 1}.</td><td><a href="https://s.example/${i}">Story ${i}</a> ${i} points</td></tr>`,
    ).join("");
    const { markdown } = htmlToMarkdown(`<html><body><table>${stories}</table></body></html>`, url);
    for (let i = 0; i < 30; i++) expect(markdown).toContain(`[Story ${i}](https://s.example/${i})`);
  });

  it("a table with a header becomes a Markdown table", () => {
    const html =
      "<table><tr><th>Name</th><th>A|B</th></tr><tr><td>x</td><td><p>1</p><p>2</p></td></tr></table>";
    expect(htmlToMarkdown(html, url).markdown).toBe("| Name | A\\|B |\n| --- | --- |\n| x | 1 2 |");
  });

  it("a page whose tags are left out, as HTML allows, loses nothing", () => {
    const { markdown, title } = htmlToMarkdown(
      "<!doctype html><title>T</title><p>One<p>Two<br>Three",
      url,
    );
    expect(title).toBe("T");
    for (const word of ["One", "Two", "Three"]) expect(markdown).toContain(word);
    expect(htmlToMarkdown("just text", url).markdown).toBe("just text");
    expect(htmlToMarkdown("", url)).toEqual({ title: null, markdown: "", truncated: false });
  });

  it("links go by the page's own base", () => {
    const html = "<html><head><base href='/b/'></head><body><a href=c>x</a></body></html>";
    expect(htmlToMarkdown(html, url).markdown).toBe("[x](https://example.org/b/c)");
  });
});

describe("what is left out", () => {
  it("scripts, styles, frames, forms and links that run something", () => {
    const { markdown } = htmlToMarkdown(
      `<html><body><p>Seen</p><script>evil1()</script><style>.evil2{}</style><noscript>evil3</noscript>
       <iframe src="https://evil4/"></iframe><svg><script>evil5</script><text>evil6</text></svg>
       <a href="javascript:evil7()">a</a><a href="data:text/html,evil8">b</a><img src="data:image/png;base64,evil9">
       <template><p>evil10</p></template><!-- evil11 --></body></html>`,
      url,
    );
    expect(markdown).toContain("Seen");
    expect(markdown).not.toMatch(/evil/);
  });
});

describe("what cannot be read as a page", () => {
  const hostile: readonly [string, string][] = [
    ["100,000 nested elements", "<div>".repeat(100_000) + sentence],
    ["unclosed tags", sentence + "<p><b><i>".repeat(20_000)],
    ["angle brackets", sentence + "<".repeat(500_000)],
    ["half a tag", `${sentence}<a href="${"x".repeat(500_000)}`],
    ["unclosed scripts", sentence + "<script>".repeat(100_000)],
    ["unclosed comments", sentence + "<!--".repeat(200_000)],
    ["many attributes", `<div ${"a=b ".repeat(200_000)}>${sentence}</div>`],
    ["blanks in preformatted text", `<pre>${sentence}a${" ".repeat(500_000)}b</pre>`],
    ["blanks", `<p>${sentence}a${" \t".repeat(250_000)}b</p>`],
    ["line breaks", `<pre>${sentence}${"\n".repeat(500_000)}b</pre>`],
    ["100,000 links", sentence + "<a href='/x'>l</a>".repeat(50_000)],
    [
      "a table of 30,000 rows",
      `${sentence}<table><tr><th>h</th></tr>${"<tr><td>x</td></tr>".repeat(30_000)}</table>`,
    ],
    ["nested tables", `${"<table><tr><td>".repeat(300)}${sentence}`],
    ["nested lists", `${"<ul><li>".repeat(190)}${sentence}`],
    ["Markdown signs", `<p>${sentence}${"*_[`".repeat(120_000)}</p>`],
    ["one long word", `<p>${sentence}${"w".repeat(1_000_000)}</p>`],
    ["html and body tags", `${sentence}${"<html><body>".repeat(50_000)}`],
    ["closing tags", sentence + "</p></div></table>".repeat(50_000)],
    ["NUL and control characters", sentence + "\0\u0001<\0p>".repeat(10_000)],
  ];
  it.each(hostile)("%s: a result in bounded time", (_name, html) => {
    const started = performance.now();
    const { markdown } = htmlToMarkdown(html, url);
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(markdown).toContain("Some text with enough words");
  });

  it("a page over the limit is cut and says so", () => {
    const { markdown, truncated } = htmlToMarkdown(`<p>${sentence}</p>`.repeat(30_000), url);
    expect(truncated).toBe(true);
    expect(markdown).toContain(sentence.trim());
  });

  it("any text gives a result", () => {
    const tags = fc.constantFrom(
      "<p>",
      "</p>",
      "<table>",
      "<tr>",
      "<td>",
      "<a href='x'>",
      "<body>",
      "</html>",
      "<!--",
      "<li>",
      "<pre>",
      "&amp;",
      "&#x110000;",
      "<base href='::'>",
      "<svg>",
      "<script>",
      "<title>",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(tags, fc.string()), { maxLength: 40 }), (parts) => {
        expect(typeof htmlToMarkdown(parts.join(""), url).markdown).toBe("string");
      }),
      { numRuns: 300 },
    );
  });
});
