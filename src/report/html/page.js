"use strict";
(function () {
  var ROWS = 200;
  var SEVERITY = { informational: 0, low: 1, medium: 2, high: 3, critical: 4 };
  var byId = function (id) { return document.getElementById(id); };

  // Commands: a button that copies, and says so.
  document.querySelectorAll("ol.commands pre").forEach(function (pre) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", function () {
      var range = document.createRange();
      range.selectNodeContents(pre);
      var selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      // A page opened from disk may have no clipboard of its own; then the command stays selected.
      var copied = false;
      try { copied = document.execCommand("copy"); } catch (error) { copied = false; }
      button.textContent = copied ? "Copied" : "Selected";
    });
    pre.parentNode.insertBefore(button, pre);
  });

  // Paper has no clicks: everything that is folded is printed open, except the stories of low incidents.
  var folded = [];
  window.addEventListener("beforeprint", function () {
    folded = Array.prototype.slice.call(document.querySelectorAll("details:not([open]):not(.story)"));
    folded.forEach(function (details) { details.open = true; });
  });
  window.addEventListener("afterprint", function () {
    folded.forEach(function (details) { details.open = false; });
    folded = [];
  });

  var data = byId("findings-data");
  if (!data) { return; }
  var all = JSON.parse(data.textContent);
  var table = data.parentNode.querySelector("table");
  var body = table.tBodies[0];
  var more = byId("more");
  var found = all;
  var drawn = Math.min(ROWS, all.length);
  var searchable = null;
  // The value of a row that each column sorts by.
  var KEYS = [0, 1, 2, 4, 5, 6, 8, 9, 10];
  var sorted = { column: -1, down: true };

  function element(tag, className, text) {
    var made = document.createElement(tag);
    if (className) { made.className = className; }
    if (text !== undefined) { made.textContent = text; }
    return made;
  }

  function drawRow(row) {
    var tr = element("tr");
    var cell = function (className, text) {
      var td = element("td", className, text);
      tr.appendChild(td);
      return td;
    };
    cell("").appendChild(element("span", "badge " + row[0], row[0]));
    cell("number", row[1]);
    var what = cell("what", row[2]);
    what.appendChild(element("br"));
    what.appendChild(element("span", "dim", row[3]));
    cell("mono", row[4]);
    cell("mono", row[5]);
    var words = cell("wide", row[6]);
    var details = element("details");
    details.appendChild(element("summary", "", "Evidence"));
    details.appendChild(element("p", "about", row[7]));
    words.appendChild(details);
    cell("time", row[8]);
    cell("time", row[9]);
    var incident = cell("number");
    if (row[10] > 0) {
      var link = element("a", "", String(row[10]));
      link.href = "#incident-" + Number(row[10]);
      incident.appendChild(link);
    }
    return tr;
  }

  function tell() {
    var grouped = function (count) { return count.toLocaleString("en"); };
    var text = grouped(drawn) + " of " + grouped(found.length) + " findings";
    if (found.length < all.length) { text += " that match, of " + grouped(all.length); }
    byId("shown").textContent = text;
    more.hidden = drawn >= found.length;
  }

  function drawMore() {
    var rows = document.createDocumentFragment();
    found.slice(drawn, drawn + ROWS).forEach(function (row) { rows.appendChild(drawRow(row)); });
    body.appendChild(rows);
    drawn = Math.min(drawn + ROWS, found.length);
    tell();
  }

  function redraw() {
    body.textContent = "";
    drawn = 0;
    drawMore();
  }

  function filter() {
    if (!searchable) {
      searchable = all.map(function (row) { return row.join(" ").toLowerCase(); });
    }
    var words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    var least = SEVERITY[byId("least").value];
    var of = byId("of").value;
    found = all.filter(function (row, at) {
      return SEVERITY[row[0]] >= least &&
        (of === "" || (of === "some") === (row[10] > 0)) &&
        words.every(function (word) { return searchable[at].indexOf(word) >= 0; });
    });
    sort();
    redraw();
  }

  function sort() {
    if (sorted.column < 0) { return; }
    var key = KEYS[sorted.column];
    var order = new Intl.Collator("en", { numeric: true });
    var compare = function (a, b) {
      if (key === 0) { return SEVERITY[a[0]] - SEVERITY[b[0]]; }
      if (key === 1) { return (parseFloat(a[1]) || 0) - (parseFloat(b[1]) || 0); }
      if (key === 10) { return a[10] - b[10]; }
      if (key === 8 || key === 9) { return a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0; }
      return order.compare(a[key], b[key]);
    };
    found = found.slice().sort(function (a, b) { return sorted.down ? compare(b, a) : compare(a, b); });
  }

  Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
    var button = element("button", "sort", head.textContent);
    button.type = "button";
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      // Counts, scores and severities begin with the largest, words with the first.
      var down = [0, 1, 8].indexOf(column) >= 0;
      sorted.down = sorted.column === column ? !sorted.down : down;
      sorted.column = column;
      Array.prototype.forEach.call(table.tHead.rows[0].cells, function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      sort();
      redraw();
    });
  });

  byId("filter").hidden = false;
  byId("filter").addEventListener("submit", function (event) { event.preventDefault(); });
  byId("words").addEventListener("input", filter);
  byId("least").addEventListener("change", filter);
  byId("of").addEventListener("change", filter);
  more.addEventListener("click", drawMore);
  tell();
})();
