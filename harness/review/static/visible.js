// What hides in a text is made to be seen, as reports/visible.py does it.
const HIDDEN = new RegExp(
  "[" +
  "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f" +
  "\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f" +
  "\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb" +
  "\\ud800-\\udfff" +
  "\\u{e0000}-\\u{e0fff}" +
  "]",
  "gu",
);

const picture = (found) =>
  `⟨U+${found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

export const visible = (text) => text.replaceAll("\r\n", "\n").replace(HIDDEN, picture);
