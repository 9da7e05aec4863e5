package config

type outputs struct{}
