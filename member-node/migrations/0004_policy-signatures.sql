CREATE TABLE `policy_signatures` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`policy` text NOT NULL,
	`follows` integer NOT NULL,
	`steward` text,
	`public_key` text NOT NULL,
	`compact` text NOT NULL,
	`signed_at` integer NOT NULL,
	FOREIGN KEY (`follows`) REFERENCES `policies`(`version`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `policy_signatures_policy_follows_public_key_unique` ON `policy_signatures` (`policy`,`follows`,`public_key`);--> statement-breakpoint
ALTER TABLE `policies` ADD `signatures_to_follow` integer;--> statement-breakpoint
ALTER TABLE `policies` ADD `admitted_by` text;