// ModelOp Center addresses its pages behind a "#", which no server ever sees. Links made for the product lead here to
// the page of the same thing.
function follow() {
  const pages = [
    [/^#\/models\/business-models\/snapshot\/([0-9a-f-]+)$/i, "/snapshots/"],
    [/^#\/models\/business-models\/([0-9a-f-]+)$/i, "/models/"],
    [/^#\/jobs\/([0-9a-f-]+)$/i, "/jobs/"],
  ];
  for (const [form, page] of pages) {
    const found = form.exec(location.hash);
    if (found) location.replace(page + found[1]);
  }
}
addEventListener("hashchange", follow);
follow();
