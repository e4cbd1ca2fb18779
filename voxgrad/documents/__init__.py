"""Documents of other formats as SSML: HTML, Markdown, dialogues, EPUB."""
