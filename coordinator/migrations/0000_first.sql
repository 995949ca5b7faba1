CREATE TABLE `agreements` (
	`round` text NOT NULL,
	`custodian` text NOT NULL,
	`cohort` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `custodian`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `charters` (
	`id` text PRIMARY KEY NOT NULL,
	`epoch` integer NOT NULL,
	`compact` text NOT NULL,
	`proposed_at` integer NOT NULL,
	`in_force_at` integer,
	`withdrawn_at` integer
);
--> statement-breakpoint
CREATE TABLE `consents` (
	`charter` text NOT NULL,
	`member` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`charter`, `member`),
	FOREIGN KEY (`charter`) REFERENCES `charters`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `contributions` (
	`round` text NOT NULL,
	`member` text NOT NULL,
	`manifest_id` text NOT NULL,
	`manifest` text NOT NULL,
	`ciphertext` text NOT NULL,
	`bytes` integer NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `member`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `contributions_round_ciphertext_unique` ON `contributions` (`round`,`ciphertext`);--> statement-breakpoint
CREATE TABLE `invitations` (
	`code_hash` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`subject` text NOT NULL,
	`administration` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`redeemed_by` text
);
--> statement-breakpoint
CREATE TABLE `log` (
	`index` integer PRIMARY KEY NOT NULL,
	`typ` text NOT NULL,
	`message` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `openings` (
	`round` text NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`sealed` blob NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `custodian`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `parties` (
	`fingerprint` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`subject` text NOT NULL,
	`public_key` text NOT NULL,
	`enrolment` text NOT NULL,
	`certificate` text,
	`enrolled_at` integer NOT NULL,
	`last_seen_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `parties_role_subject_unique` ON `parties` (`role`,`subject`);--> statement-breakpoint
CREATE TABLE `prekeys` (
	`id` text PRIMARY KEY NOT NULL,
	`custodian` text NOT NULL,
	`compact` text NOT NULL,
	`not_after` integer NOT NULL,
	`round` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `prekeys_custodian_round_unique` ON `prekeys` (`custodian`,`round`);--> statement-breakpoint
CREATE TABLE `queries` (
	`id` text PRIMARY KEY NOT NULL,
	`researcher` text NOT NULL,
	`nonce` text NOT NULL,
	`compact` text NOT NULL,
	`received_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`cancellation` text,
	`void_reason` text,
	FOREIGN KEY (`researcher`) REFERENCES `parties`(`fingerprint`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `queries_researcher_nonce_unique` ON `queries` (`researcher`,`nonce`);--> statement-breakpoint
CREATE TABLE `refusals` (
	`round` text NOT NULL,
	`member` text NOT NULL,
	`step` text NOT NULL,
	`compact` text NOT NULL,
	`reason` text NOT NULL,
	`received_at` integer NOT NULL,
	PRIMARY KEY(`round`, `member`, `step`),
	FOREIGN KEY (`round`) REFERENCES `rounds`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `rounds` (
	`id` text PRIMARY KEY NOT NULL,
	`query` text NOT NULL,
	`compact` text NOT NULL,
	`state` text NOT NULL,
	`opened_at` integer NOT NULL,
	`closes` integer NOT NULL,
	`ends` integer NOT NULL,
	`closed_at` integer,
	`cohort_id` text,
	`cohort` text,
	`sum` text,
	`ended_at` integer,
	`reason` text,
	FOREIGN KEY (`query`) REFERENCES `queries`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `rounds_query_unique` ON `rounds` (`query`);--> statement-breakpoint
CREATE INDEX `rounds_by_state` ON `rounds` (`state`);