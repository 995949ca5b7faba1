CREATE TABLE `offers` (
	`member` text PRIMARY KEY NOT NULL,
	`compact` text NOT NULL,
	`issued_at` integer NOT NULL,
	`received_at` integer NOT NULL
);
