// A filter for long tables of keys; without it they can be read all the same.
const tables = [...document.querySelectorAll('table')]
if (location.pathname.endsWith('/keys.html') && tables.length > 0) {
  const input = document.createElement('input')
  input.type = 'search'
  input.placeholder = 'timeout, cors, redirect …'
  const label = document.createElement('label')
  label.className = 'filter'
  label.append('Find a key ', input)
  const before = document.querySelector('main h1')
  before?.after(label)
  input.oninput = () => {
    const words = input.value.toLowerCase().split(/\s+/)
    for (const table of tables) {
      let shown = 0
      for (const row of table.tBodies[0]?.rows ?? []) {
        const text = row.textContent.toLowerCase()
        row.hidden = !words.every(it => text.includes(it))
        if (!row.hidden) shown++
      }
      const part = table.parentElement
      part.hidden = shown === 0
      const heading = part.previousElementSibling
      if (heading?.tagName === 'H2') heading.hidden = shown === 0
    }
  }
}
