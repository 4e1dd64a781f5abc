import type { CelRule } from '../crd.ts';

/** What the API server enforces on the spec of a ceremony: form by type, separation of people, immutability. */

const MAKES_SHARES = "self.type in ['Initialize', 'RotateRecovery']";

const form: readonly CelRule[] = [
  {
    rule: `(${MAKES_SHARES}) == (has(self.threshold) && self.custodians.size() > 0) && ((${MAKES_SHARES}) || (!has(self.threshold) && self.custodians.size() == 0)) || (self.type == 'BreakGlass' && has(self.threshold) == (self.custodians.size() > 0))`,
    message:
      'Initialize and RotateRecovery name threshold and custodians, BreakGlass both or, to turn it off, none; other types have neither.',
  },
  {
    rule: "self.type != 'BreakGlass' || (has(self.approvals) && has(self.witnesses))",
    message: 'BreakGlass lets people open the vault without its HSM: it needs approvals and witnesses.',
  },
  {
    rule: "self.type != 'SealMigration' || has(self.approvals)",
    message: 'SealMigration changes which HSM opens the vault: it needs approvals.',
  },
  {
    rule: "self.type == 'SealMigration' || !has(self.sealMigration)",
    message: 'sealMigration belongs to the type SealMigration.',
  },
  {
    rule: '!has(self.threshold) || self.threshold <= self.custodians.size()',
    message: 'The threshold cannot be larger than the number of custodians.',
  },
  {
    rule: '!has(self.threshold) || self.custodians.size() == 1 || self.threshold >= 2',
    message: 'With more than one custodian the threshold must be at least 2.',
  },
  {
    rule: "(self.type != 'Initialize') || (has(self.rootToken) && !has(self.rootToken.ttl) && has(self.rootToken.encryptTo) != has(self.rootToken.never))",
    message: 'Exactly one of encryptTo and never must be given.',
  },
  {
    rule: "self.type == 'Initialize' || !has(self.rootToken) || (self.type == 'GenerateRoot' && !has(self.rootToken.encryptTo) && !has(self.rootToken.never))",
    message:
      'Outside of Initialize, only GenerateRoot has rootToken, with ttl: its token goes to the requester.',
  },
  {
    rule: '!has(self.rootToken) || !has(self.rootToken.encryptTo) || self.custodians.exists(each, each.name == self.rootToken.encryptTo)',
    message: 'encryptTo must name one of the custodians.',
  },
  {
    rule: "self.type != 'GenerateRoot' || has(self.requester)",
    message: 'GenerateRoot names the requester, who alone can read the token.',
  },
  {
    rule: "!has(self.keyTest) || self.keyTest != 'Required' || self.custodians.size() > 0",
    message: 'A key test is for custodians who get a share: this ceremony names none.',
  },
];

const PEOPLE = 'self.custodians.exists(each, each.name == who) || self.people.exists(each, each.name == who)';

const people: readonly CelRule[] = [
  {
    rule: 'self.custodians.all(each, self.custodians.exists_one(other, other.name == each.name))',
    message: 'Every custodian must have a name of their own.',
  },
  {
    rule: 'self.people.all(each, self.people.exists_one(other, other.name == each.name) && !self.custodians.exists(other, other.name == each.name))',
    message: 'Every person must have a name of their own; custodians stand under custodians only.',
  },
  {
    rule: `!has(self.approvals) || self.approvals.approvers.all(who, ${PEOPLE})`,
    message: 'Every approver must be one of the people or custodians.',
  },
  {
    rule: '!has(self.witnesses) || self.witnesses.names.all(who, self.people.exists(each, each.name == who))',
    message: 'Every witness must be one of the people; a custodian cannot be a witness.',
  },
  {
    rule: '!has(self.requester) || self.custodians.exists(each, each.name == self.requester) || self.people.exists(each, each.name == self.requester)',
    message: 'The requester must be one of the people or custodians.',
  },
  {
    rule: '!has(self.witnesses) || !has(self.approvals) || !self.witnesses.names.exists(who, who in self.approvals.approvers)',
    message: 'A witness cannot be an approver: nobody witnesses themselves.',
  },
  {
    rule: '!has(self.witnesses) || !has(self.requester) || !(self.requester in self.witnesses.names)',
    message: 'The requester cannot be a witness.',
  },
  {
    rule: '!has(self.approvals) || !has(self.requester) || !(self.requester in self.approvals.approvers)',
    message: 'The requester cannot approve their own request.',
  },
  {
    rule: '!has(self.threshold) || self.custodians.all(each, !has(each.group) || self.custodians.filter(other, has(other.group) && other.group == each.group).size() < self.threshold)',
    message: 'The custodians of one group reach the threshold alone.',
  },
];

const ALWAYS = ['vaultRef', 'type', 'custodians', 'people', 'expiresAfter'];
const SOMETIMES = [
  'threshold',
  'requester',
  'rootToken',
  'sealMigration',
  'approvals',
  'witnesses',
  'keyTest',
];

const change: readonly CelRule[] = [
  {
    rule: [
      ...ALWAYS.map((field) => `self.${field} == oldSelf.${field}`),
      ...SOMETIMES.map(
        (field) =>
          `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
      ),
    ].join(' && '),
    message: 'A ceremony cannot be changed: make another one. Only cancel can become true.',
  },
  {
    rule: '!oldSelf.cancel || self.cancel',
    message: 'A cancelled ceremony stays so.',
  },
];

export const ceremonyRules: readonly CelRule[] = [...form, ...people, ...change];
