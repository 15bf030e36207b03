// Prints what a first visit downloads, and fails when the engine outgrew its ceiling.
import { readdirSync, readFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const ceiling = { '.wasm': 700_000, '.js': 200_000 }
const folder = new URL('./dist/assets/', import.meta.url)
const total = {}

console.log('file'.padEnd(36), 'raw'.padStart(10), 'gzip'.padStart(10), 'brotli'.padStart(10))
for (const name of readdirSync(folder).sort()) {
  const bytes = readFileSync(new URL(name, folder))
  const gzip = gzipSync(bytes, { level: 9 }).length
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }).length
  console.log(name.padEnd(36), String(bytes.length).padStart(10), String(gzip).padStart(10), String(brotli).padStart(10))
  const kind = name.slice(name.lastIndexOf('.'))
  total[kind] = (total[kind] ?? 0) + brotli
}
for (const [kind, limit] of Object.entries(ceiling)) {
  const size = total[kind] ?? 0
  if (size === 0 || size > limit) {
    console.error(`${kind}: ${size} bytes with brotli, where more than 0 and at most ${limit} are allowed`)
    process.exitCode = 1
  }
}
