// Asks npm's @0xsequence/tee-verifier about every document of a pack.
//
//   node main.js PACK     prints one JSON object a line: {peer, file, accepted, error}
//
// Its parts are called in the order in which its own fetch calls them: that function itself takes no
// root but AWS's.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

globalThis.window = globalThis
const { SignedAttestation } = await import('@0xsequence/tee-verifier')

async function verify(document, fingerprint, at, pcrs) {
  const attestation = SignedAttestation.fromDocument(document.toString('base64'))
  for (const [index, wanted] of pcrs) {
    const found = attestation.pcrs.get(index)
    if (!found) throw new Error(`Missing PCR${index}`)
    if (found !== wanted) throw new Error(`Invalid PCR${index}`)
  }
  if (!(await attestation.verifyRootOfTrust(at))) throw new Error('Invalid root of trust')
  if ((await attestation.rootCertFingerprint()) !== fingerprint) throw new Error('Invalid root')
  if (!(await attestation.verifySignature())) throw new Error('Invalid signature')
}

const folder = process.argv[2]
const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
for (const entry of manifest.documents) {
  const root = manifest.roots[entry.root]
  const pcrs = Object.entries(entry.expected.pcrs).map(([index, hex]) => [Number(index), hex])
  const row = { peer: '@0xsequence/tee-verifier', file: entry.file, accepted: true, error: '' }
  try {
    const at = new Date(entry.at_seconds * 1000)
    await verify(readFileSync(join(folder, entry.file)), root.sha256_of_der, at, pcrs)
  } catch (error) {
    row.accepted = false
    row.error = String(error)
  }
  console.log(JSON.stringify(row))
}
