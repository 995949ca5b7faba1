import type { Language } from './code-lists/code-list.ts'
import type { ErrorCode } from './errors.ts'

/** What a person should do about each error. A further language is one more object of this type. */
type Remedies = Readonly<Record<ErrorCode, string>>

const en: Remedies = {
  'bad-length': 'Send it again; if it happens twice, both sides should run the same version of Inbond.',
  'bad-residue': 'Send it again; if it happens twice, the file was damaged and the round must be asked again.',
  'bad-share': 'Ask the question again; the other custodians can still open the answer.',
  'bad-signature': 'Check that both sides belong to the same federation and that no key was replaced.',
  'bad-seal': 'Nothing to do for you: the share is left out. If it happens often, tell the secretariat.',
  'bad-message': 'Run the same version of Inbond on both sides.',
  'bad-body': 'Run the same version of Inbond on both sides.',
  'bad-request': 'Compare the request with the reference at /reference.',
  'truncated-body': 'Send it again; a proxy in between may cut long uploads.',
  'bad-query': 'Correct the query file; specs/query-language.md has the whole language with examples.',
  'unknown-dataset': 'Use a dataset that the charter names; `inbond researcher status` lists them.',
  'too-many-slots': 'Use coarser levels (hs2 instead of hs6), filter with where, or ask in parts.',
  'upgrade-needed': 'Install the version of Inbond that the federation runs.',
  'bad-token': 'Check that this party was enrolled with this coordinator.',
  'clock-skew': 'Set the clocks of this machine and of the coordinator (NTP); two minutes of difference are tolerated.',
  'not-allowed': 'Have it done by whoever may, or check the directory, the name and the key that were given.',
  'not-on-roster': 'Ask the secretariat to propose a charter that includes this member.',
  'key-replaced': "Start the directory that has this member's new key; a key that was replaced serves no more.",
  'not-sponsored': 'Tell your fingerprint to the sponsor that is named: inbond member researcher sponsor.',
  'researcher-revoked': 'Ask whoever revoked it. A revoked key is never taken again; a new one needs a new invitation.',
  'bad-invitation': 'Ask the secretariat for a new invitation; each works once, for one name, for seven days.',
  'not-found':
    'Check the id or fingerprint: `status`, `query list`, `queue` and `researcher list` show those that exist.',
  'wrong-federation': 'Use the directory, or the invitation, of the federation that this belongs to.',
  'already-enrolled':
    'Use the directory that was enrolled; if a member lost it: inbond coordinator invite DIR --member KR --replace.',
  'differs-from-stored':
    'Nothing to do: what was stored first stands. If you did not expect this, tell the secretariat.',
  'too-late': 'It is over; if it ended without an answer, ask again with more time (closes: 48h).',
  'no-charter':
    'Wait until the secretariat has proposed one and the members have signed it: inbond coordinator charter propose DIR.',
  'charter-pending':
    'Wait until the members have signed the charter, and their nodes run: inbond member charter sign DIR.',
  'bad-charter': 'Do not sign it; the secretariat proposes a corrected one: inbond coordinator charter propose DIR.',
  'charter-superseded': 'Ask again: the question is then signed under the charter in force.',
  'bad-certificate': 'Have the researcher sponsored again, by a member on the roster; else tell the secretariat.',
  'bad-id-token': 'Log in again; if that does not help, the sponsor writes down the keys of the provider anew.',
  'login-failed': 'Log in again with inbond researcher login; the operators of the provider know why it refused.',
  'bad-offer': 'Nothing to do: the member makes another one within a day. Ask it directly if it does not.',
  'bad-round': 'Nothing to do: this node does not answer it. Tell the secretariat if it happens again.',
  'exposes-members':
    'Ask for what an earlier answer was about, with the same members, or wait until more of them have new data.',
  'bad-cohort': 'Nothing to do: this custodian does not agree to it. Tell the secretariat if it happens again.',
  'query-expired': 'Ask again; a query is signed for a limited time.',
  'prekey-used': 'Nothing to do for this node; if the round ends without an answer, the question is asked again.',
  'restored-since':
    'Nothing to do: the node takes part in what is asked from now on. What ends without an answer is asked again.',
  'too-large': 'Ask in parts; where a proxy in between refuses it, have its limit raised: docs/coordinator.md.',
  'too-many-requests': 'Wait a minute and try again.',
  'out-of-space': 'Free disk space for the directory of this party; it goes on by itself.',
  'database-busy': 'End the other program that has a database of this party open; it goes on by itself.',
  'database-damaged': 'Stop the party, check its disk, and restore its newest backup into a new directory.',
  'internal-error': 'Run it again with --verbose and report what it prints.',
  'shutting-down': 'Wait until it runs again; nothing is lost.',
  'cell-too-large': 'Ask in parts: filter with where, or use finer cells.',
  'sum-not-accepted': 'Wait for further openings, or ask the question again.',
  'bad-evidence': 'Do not use this answer. Tell the secretariat and the members.',
  'not-a-release': 'Fetch the file again as it was published; an editor, a mail or a web page may have changed it.',
  'bad-release': 'Do not use these figures. Tell whoever published them, and the secretariat of the federation.',
  'bad-proof': 'Ask again; if it happens twice, tell the secretariat and the members.',
  'bad-checkpoint': 'Ask again; if it happens twice, tell the secretariat and the members.',
  'log-not-extended':
    'Keep the directory of this party: it has both signed heads. Tell the members: there may be two histories.',
  'policy-refused': 'Change the question as the reason says, or ask that member what it would answer.',
  'records-changed': 'Nothing to do: the node prepares the answer anew.',
  'round-void':
    'Ask again, as the reason suggests: another question, with more time (closes: 48h), or of fewer members (need: atLeast).',
  'coordinator-unreachable':
    'Check that the coordinator runs and can be reached from here; a running node tries again by itself.',
  'bad-answer': 'Check that the address is whole, and that of an Inbond coordinator and not of a proxy.',
  'wrong-passphrase': 'Give the right one with --passphrase-file or INBOND_PASSPHRASE.',
  'bad-key-file': 'Put the file keys/identity back from a backup; no other key can act for this party.',
  'not-initialised': 'Make it first: inbond coordinator|member|researcher init DIR.',
  'already-initialised': 'Use another directory, or remove this one if nothing in it is needed.',
  'already-running': 'Stop the other process first, or use its directory no further.',
  'bad-config': 'Correct config.yaml in that directory.',
  'bad-tls-certificate': 'Put a certificate and its key in PEM where config.yaml names them: docs/coordinator.md.',
  'plain-http':
    'Use HTTPS (docs/coordinator.md); where nobody can listen and the command allows it, insist: --plain-http or plainHttp: true.',
  'bad-option': 'See --help for what it takes, with an example.',
  'not-ended': 'Close months that have ended; if these have, set the clock of this machine (NTP).',
  'not-confirmed':
    'Read what is shown, and compare fingerprints with their owners where there are any; then run it again with --yes.',
  'file-not-readable': 'Check the path and the permissions.',
  'not-writable': 'Choose another place, or let this user write there.',
  'address-in-use': 'Stop what listens there, or change host or port in config.yaml.',
  'bad-mapping': 'Correct the map; docs/mapping.md explains every line of it.',
  'bad-file': 'Correct the file, or say encoding:, delimiter: or decimal: in the map.',
  'column-not-found': 'Use a column name exactly as the file has it in its first line.',
  'already-imported': 'Nothing to do. To replace a period, use --replace period=2020-03; or give the map a key.',
  'ambiguous-decimal': 'Say decimal: "," or decimal: "." in the map.',
  'currency-not-supported': "Convert the amounts to the charter's currency before the import.",
  'nothing-loaded': 'Correct the map or the file as the reason says; --dry-run tries it without keeping anything.',
  'warehouse-busy': 'Wait until the other import is done, and run this one again.',
  'warehouse-outdated': 'Run the version of Inbond that made the warehouse, or import anew into a new directory.',
  'bad-policy':
    'Correct the policy file; `inbond policy print standard` shows a whole one, and docs/steward.md explains it.',
  'unsigned-policy':
    'Have those stewards sign it (inbond member policy sign DIR), or put the policy in force back: inbond member policy show DIR --version NUMBER.',
  'notice-not-taken': 'Check the address and the receiver of the webhook; the node tries again by itself.',
  'newer-database':
    'Use the version of Inbond that was used here last, or a later one; or restore a backup of this one.',
  'bad-backup': 'Use another backup; this one was damaged, changed or is not whole.',
}

export const remedies: Readonly<Record<Extract<Language, 'en'>, Remedies>> = { en }
