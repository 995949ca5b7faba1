CREATE TABLE `offers` (
	`issued_at` integer PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`sent_at` integer
);
